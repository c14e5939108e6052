"""What the end-to-end tests share: a sandbox, nodes, repositories, sample apps, load, and what a node's state is compared by."""
