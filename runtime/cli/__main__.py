"""`python -m smsledger.runtime.cli`: how the supervisor starts its processes, whatever PATH says."""

from smsledger.runtime.cli import main

main()
