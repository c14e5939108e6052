#include "core/bundle/patch_parts.h"

#include <algorithm>
#include <iterator>

#include "core/bundle/tar_header.h"

namespace berth::bundle {
namespace {

/// `entries` without the files that `others` has alike.
std::vector<Entry> without_alike(const std::vector<Entry>& entries, const std::vector<Entry>& others) {
  std::vector<Entry> left;
  std::ranges::copy_if(entries, std::back_inserter(left), [&](const Entry& entry) {
    if (entry.type != EntryType::file) return true;
    const auto other = std::ranges::lower_bound(others, entry.path, {}, &Entry::path);
    return other == others.end() || *other != entry;
  });
  return left;
}

}  // namespace

std::vector<Entry> patch_base(PatchBase base, const std::vector<Entry>& old, const std::vector<Entry>& fresh) {
  return base == PatchBase::all ? old : without_alike(old, fresh);
}

std::vector<Entry> patch_made(const std::vector<Entry>& old, const std::vector<Entry>& fresh) { return without_alike(fresh, old); }

std::uint64_t tar_size_of(const std::vector<Entry>& entries) {
  std::uint64_t size = kTarEnd;
  for (const Entry& entry : entries) size += tar_size(entry);
  return size;
}

}  // namespace berth::bundle
