"""The painters of the built-in sample: shapes (drawing), what stands behind (scenery), vehicles and animals."""
