#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/result.h"

namespace berth::release_file {

// A release file (docs/formats.md) is a canonical tar of a part of a repository, so that what it is unpacked to is one:
//
//   release.json                              which release it is; says nothing that is believed
//   metadata/<n>.root.json, timestamp.json, <n>.snapshot.json, <n>.<role>.json
//   targets/<app>/<environment>/<sha256>.<release>.json
//   blobs/sha256/<hex>                        layers, their indexes, attachments

inline constexpr std::string_view kName = "release.json";
inline constexpr std::uint64_t kMostName = 4096;           ///< bytes of release.json
inline constexpr std::uint64_t kMostSignedInAll = 64u << 20;
inline constexpr std::size_t kMostFiles = 2048;

/// What release.json says.
std::string to_text(const ReleaseRef& release);
/// Reads it strictly; `Errc::trust`.
Result<ReleaseRef> parse_name(std::string_view text);

enum class Part { name, metadata, target, blob };

/// Which part of a release file a file at `path` is; `Errc::trust` says why there can be none.
Result<Part> part_of(std::string_view path);

/// Whether there may be a folder at `path`.
bool is_folder(std::string_view path);

}  // namespace berth::release_file
