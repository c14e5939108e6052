#include "core/publish/make_patch.h"

#include <algorithm>

#include <fmt/core.h>

#include "core/bundle/patch_parts.h"
#include "core/bundle/tree.h"
#include "core/crypto/sha256.h"
#include "core/publish/blob_folder.h"
#include "core/publish/patch_script.h"

namespace berth::publish {
namespace {

using bundle::Entry;
using bundle::PatchBase;
using patch::Effort;

constexpr std::uint64_t kLeastLayer = 32u << 10;  ///< a smaller one is fetched as quickly as a patch
constexpr std::uint64_t kMostWhole = 64u << 20;   ///< of a tar that is all used as a base: a node writes and reads it for each update
constexpr std::uint64_t kMostTar = 128u << 20;    ///< of what is made, and of what it is made of: both are in memory
constexpr std::uint64_t kSmall = 64u << 10;       ///< a patch that no other base is tried for, unless it is to be the best

/// Two frames, as a blob has them.
struct Frames {
  PatchBase base = PatchBase::all;
  std::string index, script;
  std::uint64_t script_size = 0;

  std::uint64_t size() const { return index.size() + script.size(); }
};

/// Makes what the node will make, and compares.
Result<void> try_it(const Frames& frames, std::string_view base, const UnpackedLayer& fresh, const std::vector<Entry>& made, std::string script) {
  BERTH_CHECK(patch::decode_frame(frames.script, base, script));
  crypto::Sha256 hash;
  const auto take = [&hash](std::string_view piece) -> Result<void> {
    hash.update(piece);
    return {};
  };
  BERTH_CHECK(patch::apply(script, base, bundle::total_size(made), take));
  if (hash.hex() != crypto::sha256_hex(contents_of(fresh, made))) return fail(Errc::internal, "what the patch makes is not what it was made for");
  return {};
}

class Making {
 public:
  Making(const UnpackedLayer& old, const UnpackedLayer& fresh, Effort effort)
      : old_(old), fresh_(fresh), effort_(effort), made_(bundle::patch_made(old.entries(), fresh.entries())),
        changed_(bundle::patch_base(PatchBase::changed, old.entries(), fresh.entries())) {}

  /// The smaller one of those that are worth a try; nothing where none is.
  Result<std::optional<Frames>> run() {
    std::optional<Frames> best;
    if (bundle::total_size(made_) > kMostTar) return best;
    BERTH_TRY(const std::string index, patch::encode_frame(fresh_.index(), old_.index(), effort_));
    const std::uint64_t whole = old_.tar().size(), changed = bundle::tar_size_of(changed_);
    const bool nearly_all = changed > whole / 2;
    if (changed <= kMostTar && !(nearly_all && whole <= kMostWhole)) {
      const std::string base = tar_of(old_, changed_);
      BERTH_TRY(best, frames_with(PatchBase::changed, base, changed_));
    }
    if (whole <= kMostWhole && (!best || best->script.size() > kSmall || effort_ == Effort::best)) {
      BERTH_TRY(Frames other, frames_with(PatchBase::all, old_.tar(), old_.entries()));
      // It costs a node more, which an eighth is worth; or whatever it is, where the smallest is asked for.
      const std::uint64_t saved = best && effort_ != Effort::best ? best->script.size() / 8 : 0;
      if (!best || other.script.size() + saved < best->script.size()) best = std::move(other);
    }
    if (best) best->index = index;
    return best;
  }

 private:
  Result<Frames> frames_with(PatchBase kind, std::string_view base, const std::vector<Entry>& before) const {
    std::string script = patch::to_bytes(script_of(base, before, fresh_, made_, effort_));
    Frames frames{.base = kind, .index = {}, .script = {}, .script_size = script.size()};
    BERTH_TRY(frames.script, patch::encode_frame(script, base, effort_));
    BERTH_CHECK(try_it(frames, base, fresh_, made_, std::move(script)));
    return frames;
  }

  const UnpackedLayer& old_;
  const UnpackedLayer& fresh_;
  Effort effort_;
  std::vector<Entry> made_, changed_;
};

}  // namespace

Result<std::optional<MadePatch>> make_patch(const UnpackedLayer& old, const UnpackedLayer& fresh, const bundle::LayerRef& fresh_ref, Effort effort) {
  if (fresh_ref.blob.size < kLeastLayer || fresh_ref.tar_size > bundle::kLargestPatched) return std::nullopt;
  BERTH_TRY(const auto frames, Making(old, fresh, effort).run());
  // By a quarter at least: a node reads the old tree for it, and one that does not have that may not use it.
  const std::uint64_t whole = fresh_ref.blob.size + fresh_ref.index.size;
  if (!frames || frames->size() > whole - whole / 4 || frames->size() > bundle::kLargestPatch) return std::nullopt;
  MadePatch made{.ref = {.from = crypto::sha256_hex(old.index()), .base = frames->base, .index_size = frames->index.size(), .script_size = frames->script_size},
                 .blob = frames->index + frames->script};
  made.ref.blob = blob_of(made.blob);
  for (std::size_t at = 0; at < made.blob.size(); at += bundle::kChunk)
    made.ref.chunks.push_back(crypto::sha256_hex(std::string_view(made.blob).substr(at, bundle::kChunk)));
  return made;
}

}  // namespace berth::publish
