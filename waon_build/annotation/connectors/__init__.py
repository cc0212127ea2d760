"""Other tools to judge with: tasks are written for them, and files that they wrote are read.

Only files pass between us. `handing_out.py` writes a folder of tasks, `files.py` tells which tool wrote a
file; `labelstudio.py` and `potato.py` know their formats, `jsonl.py` our own.
"""
