"""Who the samples know: people by the groups in their tokens, workloads by their certificates."""

# The directory's own name for the group `finance`, as policies/groups.yaml maps it.
FINANCE = "8c1f6a0e-2f6b-4c1e-9a0b-5d2f3c4b7a11"

GROUPS: dict[str, list[str]] = {
    "alice": ["ads"],
    "bob": [FINANCE],
    "carl": ["ads-eng", "contractors", "data-trained"],
    "dora": ["ads-eng"],
    "erin": ["ads-eng", "data-trained"],
    "ines": ["infra"],
    "kim": ["data-platform"],
}
