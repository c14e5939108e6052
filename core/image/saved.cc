#include <algorithm>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/bundle/checks.h"
#include "core/bundle/entry_rules.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"
#include "core/image/layout.h"

// What `docker save` wrote before version 25, and `podman save` writes: files of any name, which manifest.json lists.

namespace berth::image {
namespace {

namespace fs = std::filesystem;

/// A file of the archive. Old versions had symlinks from one layer's folder to another's.
Result<fs::path> inner_file(const fs::path& folder, const std::string& relative, const std::string& name) {
  std::error_code error;
  const fs::path root = fs::canonical(folder, error);
  const fs::path real = error ? fs::path() : fs::canonical(folder / fs::path(relative).relative_path(), error);
  if (error) return fail(Errc::trust, fmt::format("{}: is missing (was the file copied whole?)", name));
  const fs::path beyond = real.lexically_relative(root);
  if (beyond.empty() || *beyond.begin() == ".." || !fs::is_regular_file(real, error)) return fail(Errc::usage, fmt::format("{}: is no file of it", name));
  return real;
}

/// The digest that a file is named after, as most are; empty for others.
std::string digest_in_name(const fs::path& file) {
  const std::string stem = file.extension() == ".json" || file.extension() == ".tar" ? file.stem() : file.filename();
  return bundle::is_sha256(stem) ? stem : std::string();
}

std::string tags_text(const SavedImage& image) {
  return image.tags.empty() ? std::string("one without a tag") : fmt::format("{}", fmt::join(image.tags, " = "));
}

Result<SavedImage> choose_saved(const std::vector<SavedImage>& images, const std::string& shown, const std::string& tag) {
  std::vector<std::string> there;
  for (const SavedImage& image : images) {
    const bool fits = std::ranges::any_of(image.tags, [&](const std::string& name) { return name == tag || name.ends_with(":" + tag); });
    if (!tag.empty() && fits) return image;
    there.push_back(tags_text(image));
  }
  if (!tag.empty()) return fail(Errc::usage, fmt::format("{}: has no image '{}'; there is: {}", shown, tag, fmt::join(there, ", ")));
  if (images.size() > 1) return fail(Errc::usage, fmt::format("{}: holds several images; say which by --tag: {}", shown, fmt::join(there, ", ")));
  return images.front();
}

}  // namespace

Result<Image> open_saved(const fs::path& folder, const std::string& shown, const Choice& choice) {
  const std::string name = shown + ": manifest.json";
  BERTH_TRY(const std::string text, files::read(folder / "manifest.json", kMostJson));
  BERTH_TRY(const auto images, parse_saved(text, name));
  BERTH_TRY(const SavedImage chosen, choose_saved(images, shown, choice.tag));

  const std::string config_name = fmt::format("{}: {}", shown, bundle::shown(chosen.config));
  BERTH_TRY(const fs::path config_file, inner_file(folder, chosen.config, config_name));
  BERTH_TRY(const std::string config_text, files::read(config_file, kMostJson));
  if (const std::string wanted = digest_in_name(config_file); !wanted.empty() && crypto::sha256_hex(config_text) != wanted)
    return fail(Errc::trust, fmt::format("{}: is not what its digest says: it is damaged, or was changed", config_name));
  Image image;
  BERTH_TRY(image.config, parse_config(config_text, config_name));
  BERTH_CHECK(check_platform(image.config, shown, choice));
  if (chosen.layers.size() != image.config.diff_ids.size())
    return fail(Errc::trust, fmt::format("{}: manifest.json has {} layers, and the image's config {}", shown, chosen.layers.size(),
                                         image.config.diff_ids.size()));
  for (std::size_t i = 0; i < chosen.layers.size(); ++i) {
    const std::string layer_name = fmt::format("{}: {} (layer {})", shown, bundle::shown(chosen.layers[i]), i + 1);
    BERTH_TRY(const fs::path file, inner_file(folder, chosen.layers[i], layer_name));
    image.layers.push_back({.file = file, .name = layer_name, .sha256 = digest_in_name(file), .size = 0, .diff_id = image.config.diff_ids[i]});
  }
  return image;
}

}  // namespace berth::image
