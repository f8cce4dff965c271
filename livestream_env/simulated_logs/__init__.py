"""The simulator played by a policy, and written in the files of KuaiLive.

Apart from ``logs``, which reads any logs and needs pandas; playing needs NumPy only.
"""
