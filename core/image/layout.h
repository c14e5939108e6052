#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/image/image_json.h"
#include "core/image/layer_reader.h"
#include "core/result.h"

namespace berth::image {

/// Which image is wanted of those that there are.
struct Choice {
  std::string tag;       ///< empty: the only one
  std::string platform;  ///< `linux/amd64`
  bool said = false;     ///< the platform was asked for, and is not just this machine's
};

/// An image that was found: everything is verified but the layers, which are read once.
struct Image {
  ImageConfig config;
  std::vector<Layer> layers;  ///< the lowest first
};

/// What lies in a folder.
enum class Form {
  none,    ///< no image
  layout,  ///< an OCI image layout: `oci-layout`, `index.json`, `blobs/`
  saved,   ///< what `docker save` wrote: `manifest.json`, and the files that it names
};
Form form_of(const std::filesystem::path& folder);

/// Finds the image in a layout or, `open_saved`, in what `docker save` wrote and somebody unpacked. `shown` is what the user calls it. Fails with
///  - `Errc::trust` for a blob that is missing or not what its digest says,
///  - `Errc::usage` for an image of another platform, and for several images and no choice: both list what is there; and for JSON that is none of an image.
Result<Image> open_layout(const std::filesystem::path& folder, const std::string& shown, const Choice& choice);
Result<Image> open_saved(const std::filesystem::path& folder, const std::string& shown, const Choice& choice);

/// Whether the config is of the wanted platform; `Errc::usage` says what to do where it is not.
Result<void> check_platform(const ImageConfig& config, const std::string& shown, const Choice& choice);

}  // namespace berth::image
