"""Read what Keras saved: `.keras`, `.h5`, SavedModel folders, of Keras 2 and 3."""
