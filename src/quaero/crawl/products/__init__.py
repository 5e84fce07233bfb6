"""Jira and Confluence read by their pages: which links to follow, and what a page says.

`rules` decides on addresses for crawls whose source is one of the two; `reading` recognises their
pages in any crawl and makes content and metadata of them. What both products share lies in
`places` and `markup_parts`; the other modules are one product's each.
"""
