#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/bundle/layer.h"
#include "core/publish/environment.h"
#include "core/result.h"
#include "core/spec/app_spec.h"

namespace berth::publish {

/// Whether every `${NAME}` of the commands has a value in this release. berth.toml declares it, but one that is optional may have none, and an
/// instance that is started with such a command would fail. `Errc::usage` names process and variable.
Result<void> check_commands_have_values(const spec::AppSpec& spec, const Configuration& configuration, const std::string& environment);

/// The same for the files that end in `.tmpl`, where `${secret:NAME}`, `${node.name}` and `${node.labels.x}` are known too. Names file and place.
Result<void> check_templates(const std::filesystem::path& root, const std::vector<bundle::Entry>& entries, const spec::AppSpec& spec,
                             const Configuration& configuration);

/// A label of the node that a template names, and where it does first: "environments/qa/files/x.conf.tmpl:3:17".
struct NamedLabel {
  std::string label, place;
};

/// The labels that the files ending in `.tmpl` name, each once. `Errc::usage` for a file that cannot be read as a template.
Result<std::vector<NamedLabel>> labels_of_templates(const std::filesystem::path& root, const std::vector<bundle::Entry>& entries);

/// The largest template; it is rendered in memory.
inline constexpr std::size_t kMostTemplate = 4u << 20;

}  // namespace berth::publish
