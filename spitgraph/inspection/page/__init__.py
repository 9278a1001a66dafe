"""The page: tokens in the browser, as one HTML file."""

from spitgraph.inspection.page.write import page_of, write_page

__all__ = ["page_of", "write_page"]
