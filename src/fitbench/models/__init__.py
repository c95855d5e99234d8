"""Models, and what they are made of: layers of our own, distortions, deskewing."""
