#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::bundle {

/// A blob in the repository, at `blobs/sha256/<hex>`.
struct BlobRef {
  std::string sha256;      ///< 64 lower-case hex digits
  std::uint64_t size = 0;  ///< bytes

  bool operator==(const BlobRef&) const = default;
};

/// A layer as the manifest names it: its compressed bytes, its index, and the canonical tar inside.
struct LayerRef {
  BlobRef blob;               ///< the `.tar.zst`
  BlobRef index;              ///< canonical JSON, see layer.h
  std::string tar_sha256;     ///< of the uncompressed canonical tar
  std::uint64_t tar_size = 0;

  bool operator==(const LayerRef&) const = default;
};

/// What of the old tree a patch's script has before its eyes: the canonical tar of
enum class PatchBase {
  all,      ///< everything in it,
  changed,  ///< or of its folders, links, and those files that the new one does not have alike
};

/// The way to a layer from another one, which a node may have already (docs/formats.md, "Patch").
struct PatchRef {
  std::string from;                 ///< SHA-256 of the index of the layer that it starts from
  PatchBase base = PatchBase::all;
  BlobRef blob;                     ///< two zstd frames: of the new layer's index, and of the script
  std::vector<std::string> chunks;  ///< SHA-256 of each MiB of the blob, the last one shorter
  std::uint64_t index_size = 0;     ///< bytes of the first frame
  std::uint64_t script_size = 0;    ///< of the script, once it is decoded

  bool operator==(const PatchRef&) const = default;
};

/// A build for one platform.
struct BuildRef {
  std::string digest;   ///< of the canonical tar and the app spec: what names the build everywhere
  std::string version;  ///< for people: `1.4.2`, or empty
  LayerRef layer;
  std::vector<PatchRef> patches;  ///< of a release: by what they start from, each once

  bool operator==(const BuildRef&) const = default;
};

struct Attachment {
  std::string name;  ///< such as `sbom.json`
  BlobRef blob;

  bool operator==(const Attachment&) const = default;
};

/// A release, `format` 1. Its canonical JSON is the TUF target `<app>/<environment>/<release>.json`.
struct Manifest {
  std::string app, environment, release;
  std::map<std::string, BuildRef> builds;         ///< by platform, `linux/amd64`, or `any` where no file is an executable
  LayerRef config;                                ///< the environment's files
  spec::AppSpec spec;
  std::map<std::string, std::string> variables;   ///< the values in this environment
  std::map<std::string, std::string> secrets;     ///< variable → reference (`file:/etc/…`)
  std::string requires_berthd;                    ///< the lowest version, `0.1.0`
  std::vector<std::string> features;              ///< what the node must be able to do
  std::string commit, builder;                    ///< where the build came from
  std::string created;                            ///< RFC 3339, UTC
  std::string previous;                           ///< the release before, or empty
  std::vector<Attachment> attachments;

  bool operator==(const Manifest&) const = default;
};

inline constexpr std::uint64_t kLargestBlob = std::uint64_t{1} << 40;  ///< bytes, of a tar as well
inline constexpr std::uint64_t kLargestIndex = 64u << 20;
inline constexpr std::uint64_t kLargestManifest = 4u << 20;
inline constexpr std::uint64_t kLargestPatch = 256u << 20;                ///< of its blob
inline constexpr std::uint64_t kLargestPatched = std::uint64_t{1} << 30;  ///< of the tar of a layer that has patches
inline constexpr std::size_t kMostPatches = 16;                           ///< of a build

std::string_view to_string(PatchBase base);

/// Every rule a manifest has beyond its shape: names, digests, sizes; each variable is declared by the app and has a value or a reference, never both;
/// `features` and `attachments` are sorted. `Errc::trust` names the member. What is to be signed is checked by this first.
Result<void> check(const Manifest& manifest);

/// Canonical JSON (OLPC), the bytes that are signed for. Of a manifest that `check` accepts.
std::string to_canonical_json(const Manifest& manifest);

/// Reads a manifest strictly: unknown members, other formats and bad names are refused with `Errc::trust`, naming the member, as is every form of it but
/// the canonical one. Where it requires a newer berthd than this, that is told in the first place.
Result<Manifest> parse_manifest(std::string_view text);

/// The name of a release's TUF target: `web/production/v42.json`.
std::string target_name(std::string_view app, std::string_view environment, std::string_view release);

/// `blobs/sha256/<hex>`, below the repository's URL.
std::string blob_path(std::string_view sha256);

/// The build this machine can run: its own platform, else `any`. Fails with `Errc::trust` and lists what there is.
Result<BuildRef> build_for(const Manifest& manifest, std::string_view platform);

/// Whether `version` is no older than `required`; both are versions such as 0.10.2.
bool comes_up_to(std::string_view version, std::string_view required);

/// Every blob that a manifest names, each once and by SHA-256: layers, their indexes, attachments.
std::map<std::string, BlobRef> blobs_of(const Manifest& manifest);
/// Those, and the patches.
std::map<std::string, BlobRef> blobs_and_patches_of(const Manifest& manifest);

/// Whether a berthd of that version can run it: `Errc::trust` says what it lacks.
Result<void> check_requirements(const Manifest& manifest, std::string_view berthd);

/// This machine's platform, `linux/amd64` or `linux/arm64`.
std::string this_platform();

}  // namespace berth::bundle
