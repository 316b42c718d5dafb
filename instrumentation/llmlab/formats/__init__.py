"""How providers report: responses, stream chunks and usage on the wire. One format, one module.

Several SDKs speak one format and one SDK may speak several, so formats know no SDK. A provider (`llmlab.providers`)
names the functions to wrap and picks the readers from here.
"""
