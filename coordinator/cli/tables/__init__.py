"""What commands print as tables: values in, rich tables out."""
