#include "core/bundle/patch_parts.h"

#include <algorithm>
#include <iterator>

#include "core/bundle/tar_header.h"

namespace berth::bundle {
namespace {

/// `entries` without the files that `others` has alike, and without folders and links unless `all_kinds`.
std::vector<Entry> without_alike(const std::vector<Entry>& entries, const std::vector<Entry>& others, bool all_kinds) {
  std::vector<Entry> left;
  auto other = others.begin();
  std::ranges::copy_if(entries, std::back_inserter(left), [&](const Entry& entry) {
    if (entry.type != EntryType::file) return all_kinds;
    while (other != others.end() && other->path < entry.path) ++other;
    return other == others.end() || *other != entry;
  });
  return left;
}

}  // namespace

std::vector<Entry> patch_base(PatchBase base, const std::vector<Entry>& old, const std::vector<Entry>& fresh) {
  return base == PatchBase::all ? old : without_alike(old, fresh, true);
}

std::vector<Entry> patch_made(const std::vector<Entry>& old, const std::vector<Entry>& fresh) { return without_alike(fresh, old, false); }

std::uint64_t tar_size_of(const std::vector<Entry>& entries) {
  std::uint64_t size = kTarEnd;
  for (const Entry& entry : entries) size += tar_size(entry);
  return size;
}

}  // namespace berth::bundle
