"""The pictures of the documentation, one module a page; `make_pictures.py` draws them all."""
