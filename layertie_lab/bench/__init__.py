"""What the toolkit costs against plain loops: ratios with their spread, measured interleaved in one run."""
