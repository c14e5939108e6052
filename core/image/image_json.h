#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

// The JSON of images: OCI's image specification 1.1, Docker's distribution schema 2, and what `docker save` writes. Members that are not known are passed
// over, null ones count as absent. Whatever is wrong is `Errc::usage`; `where` stands in front of it.

namespace berth::image {

inline constexpr std::size_t kMostJson = 4u << 20;  ///< bytes of one document, the distribution specification's bound
inline constexpr std::size_t kMostLayers = 1000;

/// What a platform is called: `linux/amd64`, `linux/arm/v7`.
struct Platform {
  std::string os, architecture, variant;

  bool empty() const { return os.empty() && architecture.empty(); }
  /// Whether it is `wanted`, such as `linux/amd64`, in any variant.
  bool is(std::string_view wanted) const { return os + "/" + architecture == wanted; }
  bool operator==(const Platform&) const = default;
};
std::string to_string(const Platform& platform);

/// A blob, as an index or a manifest names it.
struct Descriptor {
  std::string media_type;
  std::string sha256;     ///< hex
  std::uint64_t size = 0;
  Platform platform;      ///< empty where it is not told
  std::string tag;        ///< `org.opencontainers.image.ref.name`, or empty

  bool operator==(const Descriptor&) const = default;
};

/// What it leads to, by its media type.
enum class Kind { index, manifest, config, layer, other };
Kind kind_of(std::string_view media_type);

/// `index.json`, or an index below it, without what is no image: attestations, whose platform is "unknown".
Result<std::vector<Descriptor>> parse_index(std::string_view text, const std::string& where);

struct Manifest {
  Descriptor config;
  std::vector<Descriptor> layers;  ///< the lowest first
};
Result<Manifest> parse_manifest(std::string_view text, const std::string& where);

/// Docker's `HEALTHCHECK`; times are absent where the image leaves them to the runtime.
struct HealthCheck {
  std::vector<std::string> test;  ///< `CMD`, `CMD-SHELL` or `NONE` first
  std::optional<std::chrono::nanoseconds> interval, timeout, start_period, start_interval;
  int retries = 0;
};

struct ImageConfig {
  Platform platform;
  std::vector<std::string> entrypoint, command;
  std::vector<std::string> environment;  ///< `NAME=value`
  std::string user, directory, stop_signal;
  std::vector<std::string> ports;        ///< `8080/tcp`, sorted
  std::vector<std::string> volumes;      ///< sorted
  std::optional<HealthCheck> health;
  std::vector<std::string> diff_ids;     ///< SHA-256 in hex of each layer's tar
};
Result<ImageConfig> parse_config(std::string_view text, const std::string& where);

/// One image of `docker save`'s manifest.json: files of the archive.
struct SavedImage {
  std::string config;
  std::vector<std::string> tags;
  std::vector<std::string> layers;
};
Result<std::vector<SavedImage>> parse_saved(std::string_view text, const std::string& where);

/// The hex digits of "sha256:…". `Errc::usage` for other algorithms.
Result<std::string> sha256_of_digest(std::string_view digest, const std::string& where);

}  // namespace berth::image
