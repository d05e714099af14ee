"""Mail: welcome, reminder, newsletter."""
