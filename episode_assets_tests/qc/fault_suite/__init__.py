"""The fault suite: many generated recordings, a few of which carry one fault each, through everything up to the report.

What is drawn stands in `draw`, what a fault must look like in the report in `expectation`, the way from a recording to
its report in `chain`, and a whole draw with its table in `suite`. `python -m episode_assets_tests.qc.fault_suite` draws
and prints; nothing is kept on disk.
"""
