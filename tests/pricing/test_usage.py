import pytest

from llmlab.usage import EXTRAS, MEASURES, NO_USAGE, Usage, contradictions


@pytest.mark.parametrize("measure", MEASURES)
def test_any_measure_of_the_work_makes_a_usage_known(measure: str):
    assert Usage(**{measure: 0}).known


@pytest.mark.parametrize("field", sorted(set(Usage._fields) - set(MEASURES)))
def test_parts_and_tool_calls_alone_do_not(field: str):
    assert not Usage(**{field: 5}).known


def test_no_usage_is_not_known():
    assert not NO_USAGE.known


def test_extras_are_fields():
    assert set(EXTRAS) < set(Usage._fields)


@pytest.mark.parametrize(
    "usage",
    [
        NO_USAGE,
        Usage(0, 0),
        Usage(10, 10, cache_read=10, reasoning=10),
        Usage(10, cache_read=4, cache_write=6, cache_write_5m=6, cache_write_1h=0),
        Usage(10, cache_read=8, audio_in=8, cache_read_audio=8),
        Usage(cache_read=0, reasoning=0),
        Usage(pages=3, annotated_pages=3),
    ],
)
def test_a_usage_that_holds_together_has_no_contradictions(usage: Usage):
    assert contradictions(usage) == ()


@pytest.mark.parametrize(
    ("usage", "words"),
    [
        (Usage(10, cache_read=11), "cache_read 11 in input 10"),
        (Usage(10, cache_read=6, cache_write=5), "cache_read 6 + cache_write 5 in input 10"),
        (
            Usage(10, cache_write=5, cache_write_5m=3, cache_write_1h=3),
            "cache_write_5m 3 + cache_write_1h 3 in cache_write 5",
        ),
        (Usage(10, audio_in=6, image_in=6), "audio_in 6 + image_in 6 in input 10"),
        (Usage(output=10, reasoning=6, citation=5), "reasoning 6 + citation 5 in output 10"),
        (Usage(10, cache_read=1, audio_in=5, cache_read_audio=2), "cache_read_audio 2 in cache_read 1"),
        (Usage(output=4, cache_read=5), "cache_read 5 in input unknown"),
        (Usage(annotated_pages=1), "annotated_pages 1 in pages unknown"),
        (Usage(-1, 2), "input -1 is negative"),
    ],
)
def test_a_contradiction_names_its_numbers(usage: Usage, words: str):
    assert words in contradictions(usage)
