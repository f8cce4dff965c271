"""What the site has beyond the pages in ``docs``: made from the code by ``python -m scripts.docs``.

``hooks`` is MkDocs' way in; each other module makes one kind of page. A page in ``docs`` says where
with a line ``<!-- generated: name -->``, so that it is a page on GitHub, too.
"""
