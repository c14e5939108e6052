"""Figures: berth beside what is used for the same today."""
