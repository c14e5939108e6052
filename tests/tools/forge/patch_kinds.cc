#include <cstdlib>
#include <utility>

#include "core/patch/frame.h"
#include "core/patch/script.h"
#include "tests/tools/forge/parts.h"

namespace berth::forge {
namespace {

/// What a patch that starts from the good release is made of. Its index is right, and so is what its script makes, until a kind changes it.
struct Parts {
  std::string index;        ///< of the release that it makes
  std::string script;
  std::string prefix;       ///< that the script's frame refers to; the node refers to the old tree
};

/// What the script is to make: bin/run and note.
const std::string kContents = "#!/bin/sh\nhello\n";

std::string frame_of(std::string_view content, std::string_view prefix) {
  auto frame = patch::encode_frame(content, prefix, patch::Effort::fast);
  if (!frame) std::abort();
  return std::move(*frame);
}

std::string literal(std::string_view bytes) {
  patch::Script script;
  script.append(bytes);
  return patch::to_bytes(script);
}

/// The layer is right, and would be taken; its program is the good release's, and no patch has to make it.
Layer layer_with_program(const Base& base) {
  std::vector<bundle::Entry> entries = honest_entries();
  entries.insert(entries.begin() + 2, bundle::file_entry("bin/testapp", base.program, 0755));
  bundle::HandMadeTar tar;
  tar.add(entries[0]).add(entries[1], "#!/bin/sh\n").add(entries[2], base.program).add(entries[3]).add(entries[4], "hello\n");
  return layer_of_tree(entries, tar.end());
}

/// `before` changes what the blob is made of, `after` what the manifest says of it.
Kind patch_kind(std::string release, std::string path, std::string rule, std::function<void(Parts&)> before,
                std::function<void(bundle::PatchRef&)> after = {}) {
  return {std::move(release), std::move(path), std::move(rule),
          [change = std::move(before), lie = std::move(after)](const Base& base, const std::string& id) {
            const Layer layer = layer_with_program(base);
            Forged forged = release_with(base, id, layer);
            bundle::Manifest manifest = manifest_with(base, id, layer);
            Parts parts{.index = layer.index, .script = literal(kContents), .prefix = {}};
            if (change) change(parts);
            const std::string index = frame_of(parts.index, ""), blob = index + frame_of(parts.script, parts.prefix);
            bundle::PatchRef patch{.from = base.manifest.builds.begin()->second.layer.index.sha256,
                                   .base = bundle::PatchBase::all,
                                   .blob = {.sha256 = crypto::sha256_hex(blob), .size = blob.size()},
                                   .chunks = {crypto::sha256_hex(blob)},
                                   .index_size = index.size(),
                                   .script_size = parts.script.size()};
            if (lie) lie(patch);
            forged.blobs[crypto::sha256_hex(blob)] = blob;
            manifest.builds.begin()->second.patches = {patch};
            forged.manifest = to_canonical_json(manifest);
            return forged;
          }};
}

Kind script_kind(std::string release, std::string rule, patch::Script script) {
  return patch_kind(std::move(release), "the patch's script", std::move(rule), [text = patch::to_bytes(script)](Parts& parts) { parts.script = text; });
}

Kind lying_kind(std::string release, std::string path, std::string rule, std::function<void(bundle::PatchRef&)> lie) {
  return patch_kind(std::move(release), std::move(path), std::move(rule), {}, std::move(lie));
}

patch::Script with_literals(std::vector<patch::Step> steps, std::string literals) {
  return {.steps = std::move(steps), .differences = {}, .literals = std::move(literals)};
}

}  // namespace

std::vector<Kind> patch_kinds() {
  return {
      patch_kind("patch-against-another-build", "zstd frame", "made against another build", [](Parts& parts) { parts.prefix = parts.script; }),
      patch_kind("patch-of-another-index", "patch", "not the one that is signed for", [](Parts& parts) { parts.index.back() = ' '; }),
      patch_kind("patch-index-shorter", "zstd frame", "bytes in it, not the", [](Parts& parts) { parts.index.pop_back(); }),
      patch_kind("patch-output-too-big", "the patch's script", "bytes, not the", [](Parts& parts) { parts.script = literal(std::string(6000, 'x')); }),
      patch_kind("patch-no-script", "the patch's script", "none of this format", [](Parts& parts) { parts.script = std::string(64, 's'); }),
      patch_kind("patch-makes-other-files", "bin/run", "another content", [](Parts& parts) { parts.script = literal(std::string(kContents.size(), 'x')); }),
      patch_kind("patch-makes-another-file", "note", "another content", [](Parts& parts) { parts.script = literal("#!/bin/sh\nHELLO\n"); }),
      patch_kind("patch-makes-files-in-another-order", "bin/run", "another content", [](Parts& parts) { parts.script = literal("hello\n#!/bin/sh\n"); }),
      patch_kind("patch-makes-one-file-less", "the patch's script", "bytes, not the", [](Parts& parts) { parts.script = literal("#!/bin/sh\n"); }),
      script_kind("patch-leads-out-of-the-old", "leads out", with_literals({{.literal = kContents.size(), .seek = -1}}, kContents)),
      script_kind("patch-takes-more-than-there-is", "more bytes than there are", with_literals({{.literal = kContents.size() + 1}}, kContents)),
      script_kind("patch-leaves-bytes", "no step uses", with_literals({{.literal = 1}}, kContents)),
      script_kind("patch-of-too-many-steps", "too many steps", with_literals(std::vector<patch::Step>(patch::kMostSteps + 1), kContents)),
      lying_kind("patch-larger-than-it-says", "zstd frame", "not the", [](bundle::PatchRef& patch) { patch.script_size -= 1; }),
      lying_kind("patch-frames-elsewhere", "zstd frame", "", [](bundle::PatchRef& patch) { patch.index_size += 1; }),
      lying_kind("patch-from-nowhere", "patches.from", "SHA-256", [](bundle::PatchRef& patch) { patch.from = "../v1"; }),
      lying_kind("patch-blob-with-path", "patches.blob.sha256", "SHA-256", [](bundle::PatchRef& patch) { patch.blob.sha256 = "../../../../etc/passwd"; }),
      lying_kind("patch-of-1-tib", "patches.blob.size", "too large", [](bundle::PatchRef& patch) { patch.blob.size = std::uint64_t{1} << 40; }),
      lying_kind("patch-script-of-1-tib", "patches.script_size", "", [](bundle::PatchRef& patch) { patch.script_size = std::uint64_t{1} << 40; }),
      lying_kind("patch-without-chunks", "patches.chunks", "for each MiB", [](bundle::PatchRef& patch) { patch.chunks.clear(); }),
  };
}

}  // namespace berth::forge
