#include "core/image/layout.h"

#include <algorithm>
#include <map>

#include <fcntl.h>

#include <fmt/core.h>
#include <fmt/ranges.h>

#include "core/bundle/entry_rules.h"
#include "core/crypto/sha256.h"
#include "core/files/files.h"

namespace berth::image {
namespace {

namespace fs = std::filesystem;

constexpr int kDeepestIndex = 4;
constexpr int kMostIndexes = 256;  // read in all: one may be listed over and over, at each depth
constexpr std::size_t kMostCandidates = 1000;

/// A manifest that the indexes lead to.
struct Candidate {
  Descriptor blob;
  std::optional<std::pair<Manifest, ImageConfig>> read;  ///< where the platform had to be looked up
};

class Layout {
 public:
  Layout(Fd folder, fs::path path, std::string shown, Choice choice)
      : folder_(std::move(folder)), path_(std::move(path)), shown_(std::move(shown)), choice_(std::move(choice)) {}

  Result<Image> open();

 private:
  std::string blob_name(const Descriptor& blob) const { return fmt::format("{}: blobs/sha256/{}", shown_, blob.sha256); }
  Result<std::string> read_blob(const Descriptor& blob) const;
  Result<void> collect(const std::vector<Descriptor>& listed, const std::string& tag, int depth);
  Result<void> choose_tag();
  Result<std::pair<Manifest, ImageConfig>> read_image(const Descriptor& blob) const;
  Result<Candidate> choose_platform();

  Fd folder_;
  fs::path path_;
  std::string shown_;
  Choice choice_;
  std::vector<Candidate> candidates_;
  int indexes_ = 0;
};

Result<std::string> Layout::read_blob(const Descriptor& blob) const {
  const std::string name = blob_name(blob);
  if (blob.size > kMostJson) return fail(Errc::usage, fmt::format("{}: is said to have {} bytes, over {}", name, blob.size, kMostJson));
  const auto file = files::open_below(folder_.get(), "blobs/sha256/" + blob.sha256, O_RDONLY | O_NOFOLLOW);
  if (!file && file.error().code == Errc::not_found)
    return fail(Errc::trust, fmt::format("{}: is missing (was the layout copied whole?)", name));
  if (!file) return pass(file.error(), shown_);
  const auto text = files::read(file->get(), name, kMostJson);
  if (!text) return fail(Errc::trust, text.error().message);
  const std::string sha256 = crypto::sha256_hex(*text);
  if (text->size() != blob.size || sha256 != blob.sha256)
    return fail(Errc::trust, fmt::format("{}: has {} bytes and the SHA-256 {}, and the image says {} bytes: it is damaged, or was changed", name,
                                         text->size(), sha256, blob.size));
  return *text;
}

/// All manifests below an index. A tag is that of the outermost index which tells one.
Result<void> Layout::collect(const std::vector<Descriptor>& listed, const std::string& tag, int depth) {
  if (depth > kDeepestIndex) return fail(Errc::usage, fmt::format("{}: has indexes in indexes, more than {} deep", shown_, kDeepestIndex));
  for (Descriptor blob : listed) {
    if (!tag.empty()) blob.tag = tag;
    if (kind_of(blob.media_type) == Kind::index) {
      if (++indexes_ > kMostIndexes) return fail(Errc::usage, fmt::format("{}: lists more than {} indexes", shown_, kMostIndexes));
      BERTH_TRY(const std::string text, read_blob(blob));
      BERTH_TRY(const auto inside, parse_index(text, blob_name(blob)));
      BERTH_CHECK(collect(inside, blob.tag, depth + 1));
    } else if (kind_of(blob.media_type) == Kind::manifest) {
      if (candidates_.size() >= kMostCandidates) return fail(Errc::usage, fmt::format("{}: lists more than {} manifests", shown_, kMostCandidates));
      candidates_.push_back({.blob = std::move(blob), .read = std::nullopt});
    } else {
      return fail(Errc::usage, fmt::format("{}: lists '{}', which is no image", shown_, bundle::shown(blob.media_type)));
    }
  }
  return {};
}

Result<void> Layout::choose_tag() {
  std::map<std::string, std::string> tags;  // tag → the first of its manifests
  for (const Candidate& one : candidates_) tags.emplace(one.blob.tag, one.blob.sha256);
  std::vector<std::string> names;
  for (const auto& [tag, sha256] : tags) names.push_back(tag.empty() ? "one without a tag" : tag);
  const std::string there = fmt::format("{}", fmt::join(names, ", "));
  if (!choice_.tag.empty()) {
    if (!tags.contains(choice_.tag)) return fail(Errc::usage, fmt::format("{}: has no image '{}'; there is: {}", shown_, choice_.tag, there));
    std::erase_if(candidates_, [this](const Candidate& one) { return one.blob.tag != choice_.tag; });
    return {};
  }
  // Several tags may stand for one image.
  const bool is_one = std::ranges::all_of(candidates_, [this](const Candidate& one) { return one.blob.sha256 == candidates_.front().blob.sha256; });
  if (is_one) candidates_.resize(1);
  if (!is_one && tags.size() > 1) return fail(Errc::usage, fmt::format("{}: holds several images; say which by --tag: {}", shown_, there));
  return {};
}

Result<std::pair<Manifest, ImageConfig>> Layout::read_image(const Descriptor& blob) const {
  BERTH_TRY(const std::string manifest_text, read_blob(blob));
  BERTH_TRY(Manifest manifest, parse_manifest(manifest_text, blob_name(blob)));
  BERTH_TRY(const std::string config_text, read_blob(manifest.config));
  BERTH_TRY(ImageConfig config, parse_config(config_text, blob_name(manifest.config)));
  return std::pair(std::move(manifest), std::move(config));
}

Result<Candidate> Layout::choose_platform() {
  std::vector<std::string> there;
  std::vector<Candidate*> fitting;
  for (Candidate& one : candidates_) {
    if (one.blob.platform.empty()) {
      BERTH_TRY(one.read, read_image(one.blob));
      one.blob.platform = one.read->second.platform;
    }
    there.push_back(to_string(one.blob.platform));
    if (one.blob.platform.is(choice_.platform)) fitting.push_back(&one);
  }
  if (fitting.empty())
    return fail(Errc::usage, fmt::format("{}: holds no image for {}{}, but for {}; --platform says which one is wanted", shown_, choice_.platform,
                                         choice_.said ? "" : ", which is this machine's platform", fmt::join(there, ", ")));
  // The one that asks for the least of a processor.
  std::ranges::stable_sort(fitting, {}, [](const Candidate* one) { return one->blob.platform.variant; });
  return *fitting.front();
}

Result<Image> Layout::open() {
  const std::string index_name = shown_ + ": index.json";
  const auto text = files::read(path_ / "index.json", kMostJson);
  if (!text) return fail(Errc::usage, fmt::format("{}: {}", index_name, text.error().message));
  BERTH_TRY(const auto listed, parse_index(*text, index_name));
  BERTH_CHECK(collect(listed, {}, 1));
  if (candidates_.empty()) return fail(Errc::usage, fmt::format("{}: lists no image", index_name));
  BERTH_CHECK(choose_tag());
  BERTH_TRY(Candidate chosen, choose_platform());
  if (!chosen.read) {
    BERTH_TRY(chosen.read, read_image(chosen.blob));
  }
  auto& [manifest, config] = *chosen.read;
  BERTH_CHECK(check_platform(config, shown_, choice_));
  if (manifest.layers.size() != config.diff_ids.size())
    return fail(Errc::trust, fmt::format("{}: its manifest has {} layers, and its config {}", shown_, manifest.layers.size(), config.diff_ids.size()));
  Image image{.config = std::move(config), .layers = {}};
  for (std::size_t i = 0; i < manifest.layers.size(); ++i) {
    const Descriptor& blob = manifest.layers[i];
    const std::string relative = "blobs/sha256/" + blob.sha256;
    const auto file = files::open_below(folder_.get(), relative, O_PATH | O_NOFOLLOW);
    const std::string name = fmt::format("{} (layer {})", blob_name(blob), i + 1);
    if (!file) return fail(Errc::trust, fmt::format("{}: is missing (was the layout copied whole?)", name));
    image.layers.push_back({.file = path_ / relative, .name = name, .sha256 = blob.sha256, .size = blob.size, .diff_id = image.config.diff_ids[i]});
  }
  return image;
}

}  // namespace

Form form_of(const fs::path& folder) {
  std::error_code error;
  const auto is_file = [&](const char* name) { return fs::is_regular_file(fs::symlink_status(folder / name, error)); };
  if (is_file("oci-layout")) return Form::layout;
  if (!is_file("manifest.json")) return Form::none;
  const auto text = files::read(folder / "manifest.json", kMostJson);
  return text && parse_saved(*text, "manifest.json") ? Form::saved : Form::none;
}

Result<void> check_platform(const ImageConfig& config, const std::string& shown, const Choice& choice) {
  if (config.platform.is(choice.platform)) return {};
  return fail(Errc::usage, fmt::format("{}: the image is for {}, and not for {}{}", shown, to_string(config.platform), choice.platform,
                                       choice.said ? "" : fmt::format(", which is this machine's platform; to build it nevertheless: --platform {}/{}",
                                                                      config.platform.os, config.platform.architecture)));
}

Result<Image> open_layout(const fs::path& folder, const std::string& shown, const Choice& choice) {
  BERTH_TRY(Fd opened, files::open(folder, O_RDONLY | O_DIRECTORY));
  return Layout(std::move(opened), folder, shown, choice).open();
}

}  // namespace berth::image
