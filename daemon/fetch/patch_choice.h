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

/// Bytes that a patch takes on its way.
struct PatchSizes {
  std::uint64_t base = 0;     ///< of the tar that its script refers to
  std::uint64_t made = 0;     ///< of the tar that comes out
  std::uint64_t scratch = 0;  ///< of the file that base and script are in
};
PatchSizes sizes_of(const PatchChoice& patch, const bundle::LayerIndex& index);

/// `Errc::conflict` names a file that the patch does not make, and that no slot of this node has any more.
Result<void> check_linked(const PatchChoice& patch, const bundle::LayerIndex& index, const LinkPlan& plan);

/// A file of just that size, whose name is gone again. Its blocks are there.
Result<Fd> make_scratch(const std::filesystem::path& name, std::uint64_t size);

/// Makes the scratch file of a patch and writes its base into it. `Errc::conflict` where a file of the slot is not what was sealed.
Result<Fd> write_base(const PatchChoice& patch, const bundle::LayerIndex& index, const std::filesystem::path& name, const std::stop_token& stop);

}  // namespace berth::fetch
