"""The Streamlit dashboard: pages that read the atlas and the run store, and write requests. It computes nothing heavy."""
