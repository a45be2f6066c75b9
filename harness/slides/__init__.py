"""Makes the lecture's decks out of the tree: code, diffs, mistakes, traces, numbers, plots.

A deck in slides/decks is Markdown in which empty fences and {{...}} say what comes from where;
slides/README.md lists them. `fill` writes decks that are complete, below build/slides/work; the
programs in slides/ draw what is left to draw and make pages of them.
"""
