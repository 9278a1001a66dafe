"""What tests share and import: pictures, label maps, graphs, models, comparisons.

Fixtures are in conftest.py; what needs no set-up and no end is a function here.
"""
