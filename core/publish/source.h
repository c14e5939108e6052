#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "core/publish/build_store.h"
#include "core/publish/make_build.h"
#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::publish {

inline constexpr const char* kSpecFile = "berth.toml";

/// What a build is made of, laid out as a folder.
struct Source {
  enum class Kind { folder, archive, executable, image };

  Kind kind = Kind::folder;
  std::filesystem::path folder;
  std::optional<spec::Defaults> defaults;  ///< what is built says itself how it is run
  std::string platform;                    ///< of an image
  std::vector<std::string> notes;
};

/// Finds out by its content what `source` is, and unpacks it into the workshop where it is not a folder of files already. `Errc::usage` names what it is
/// not, and `Errc::trust` what of an image is damaged.
Result<Source> open_source(const std::filesystem::path& source, const BuildOptions& options, const Workshop& workshop);

/// The spec: `options.spec`, else the berth.toml in the source, else what the source says, under the name `options.app`. `named` is what the user
/// calls the source.
Result<spec::AppSpec> spec_of_source(const Source& source, const BuildOptions& options, const std::filesystem::path& named);

}  // namespace berth::publish
