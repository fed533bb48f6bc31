"""What is known of each voxel, and where in pictures it looks."""
