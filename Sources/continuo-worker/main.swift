print("continuo-worker")
