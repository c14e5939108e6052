#pragma once

#include <optional>
#include <string>

#include "core/bundle/manifest.h"
#include "core/patch/frame.h"
#include "core/publish/unpacked_layer.h"
#include "core/result.h"

namespace berth::publish {

/// A patch and its blob's bytes.
struct MadePatch {
  bundle::PatchRef ref;
  std::string blob;
};

/// Makes a patch that leads from one layer to another, and tries it. Nothing where none is worth it: where too much has changed, or it would be hardly
/// smaller than what it saves. Takes up to 1 GiB of memory, 2 GiB with `Effort::best`.
Result<std::optional<MadePatch>> make_patch(const UnpackedLayer& old, const UnpackedLayer& fresh, const bundle::LayerRef& fresh_ref, patch::Effort effort);

}  // namespace berth::publish
