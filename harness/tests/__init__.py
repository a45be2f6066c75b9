"""Tests of the harness itself: broken servers that it must find, and parsers it relies on."""
