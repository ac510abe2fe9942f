"""The systems that WMA-GIN is compared with in Table 3: one file each, sizes fixed."""
