"""The course: what a lab asks for, who judges it, and what a student is told."""
