"""Kernels in the interpreter: only in a process that is told so before Triton is imported, as by `TRITON_INTERPRET=1 pytest <here>`.

Elsewhere nothing is collected, so that asking for this folder alone fails.
"""

import importlib.util
import os


collect_ignore_glob = [] if os.environ.get("TRITON_INTERPRET") == "1" and importlib.util.find_spec("triton") else ["*"]
