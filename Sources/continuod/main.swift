print("continuod")
