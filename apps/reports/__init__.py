"""The daily sales report, on schedule or on demand."""
