# The machines and devices of a VM with protected processes: what a Linux guest needs,
# and little else, so that the build stays short.

# pc and q35
CONFIG_I440FX=y
CONFIG_Q35=y

CONFIG_VIRTIO_PCI=y
CONFIG_VIRTIO_9P=y
CONFIG_VIRTIO_BALLOON=y
CONFIG_VIRTIO_BLK=y
CONFIG_VIRTIO_RNG=y
CONFIG_VIRTIO_SERIAL=y

# isa-debug-exit: a guest's exit status becomes QEMU's.
CONFIG_ISA_DEBUG=y
