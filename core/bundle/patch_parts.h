#pragma once

#include <cstdint>
#include <vector>

#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"

namespace berth::bundle {

// What a patch is about, which publisher and node find out alike from the indexes of both layers. Entries as an index has them.

/// What its script has before its eyes: the canonical tar of these.
std::vector<Entry> patch_base(PatchBase base, const std::vector<Entry>& old, const std::vector<Entry>& fresh);

/// What its script makes: the contents of these, one after the other. Those files that the old layer does not have alike, in content, mode and place.
std::vector<Entry> patch_made(const std::vector<Entry>& old, const std::vector<Entry>& fresh);

/// Bytes of the canonical tar of entries.
std::uint64_t tar_size_of(const std::vector<Entry>& entries);

}  // namespace berth::bundle
