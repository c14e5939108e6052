#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/bundle/layer.h"
#include "core/bundle/manifest.h"
#include "core/files/fd.h"
#include "core/result.h"
#include "daemon/fetch/linked_files.h"

namespace berth::fetch {

/// A patch that starts from a slot of this node.
struct PatchChoice {
  bundle::PatchRef ref;
  std::filesystem::path slot;
  std::string old_index;            ///< of its app, as it is signed for
  std::vector<bundle::Entry> old;   ///< what it says
};

/// The smallest patch of a build that one of the sealed slots can be the base of; nothing where none can. That its index is what was signed for is
/// looked at here, its files where they are used.
std::optional<PatchChoice> choose_patch(const bundle::BuildRef& build, const std::vector<std::filesystem::path>& slots);

/// What a patch is about, as the old and the new index tell.
struct PatchParts {
  std::vector<bundle::Entry> base;  ///< whose canonical tar its script refers to
  std::vector<bundle::Entry> made;  ///< the files that it makes; all others are alike in the slot
  std::uint64_t base_size = 0;      ///< bytes of that tar
  std::uint64_t made_size = 0;      ///< bytes of their contents
  std::uint64_t made_at = 0;        ///< where in the scratch file those are to be
  std::uint64_t alike_size = 0;     ///< bytes of the contents of the others

  std::uint64_t scratch_size() const { return made.empty() ? 0 : made_at + made_size; }
};
PatchParts parts_of(const PatchChoice& patch, const bundle::LayerIndex& index);

/// The links to the files that the patch does not make. `whole` are those of the slot that are as they were sealed: `Errc::conflict` names one that is not
/// among them.
Result<LinkPlan> links_beside(const PatchParts& parts, const bundle::LayerIndex& index, LinkPlan whole);

/// A file of just that size, whose name is gone again. Its blocks are there.
Result<Fd> make_scratch(const std::filesystem::path& name, std::uint64_t size);

/// Makes the scratch file of a patch and writes its base into it. `Errc::conflict` where a file of the slot is not what was sealed.
Result<Fd> write_base(const PatchChoice& patch, const PatchParts& parts, const std::filesystem::path& name, const std::stop_token& stop);

}  // namespace berth::fetch
