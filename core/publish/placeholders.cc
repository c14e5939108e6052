#include "core/publish/placeholders.h"

#include <algorithm>
#include <set>

#include <fcntl.h>

#include <fmt/core.h>

#include "core/files/files.h"

namespace berth::publish {
namespace {

using Names = std::set<std::string, std::less<>>;

constexpr std::string_view kTemplate = ".tmpl";
constexpr std::string_view kSecret = "secret:";
constexpr std::string_view kLabel = "node.labels.";

/// What `${…}` may name, of what the spec knows for `process`: without the variables that have no value here.
void add_known(Names& names, const spec::AppSpec& spec, const spec::Process& process, const Configuration& configuration) {
  for (const std::string& name : spec::known_variables(spec, process)) {
    const bool is_declared = spec.variables.contains(name);
    if (!is_declared || configuration.variables.contains(name) || configuration.secrets.contains(name)) names.insert(name);
  }
}

bool is_known(const Names& names, const std::string& name, const Configuration& configuration) {
  if (name.starts_with(kSecret)) return configuration.secrets.contains(name.substr(kSecret.size()));
  if (name.starts_with(kLabel)) return name.size() > kLabel.size();
  return name == "node.name" || names.contains(name);
}

std::string why_unknown(const std::string& name, const Names& names, const spec::AppSpec& spec) {
  const bool is_secret = name.starts_with(kSecret);
  const std::string variable = is_secret ? name.substr(kSecret.size()) : name;
  if (spec.variables.contains(variable))
    return is_secret ? fmt::format("{} has no reference in [secrets] of this environment", variable)
                     : fmt::format("{} is declared, but has no value in this environment", variable);
  if (name == "PORT") return "only a process with 'port' or 'socket' is given one";
  const auto meant = spec::nearest(name, {names.begin(), names.end()});
  return fmt::format("nothing is known by that name{}; declare it as [env.{}] in berth.toml, or write $$ for a dollar sign",
                     meant ? fmt::format(" (did you mean '{}'?)", *meant) : "", variable);
}

/// "3:17" of the first `${name}` in `text`.
std::string place_of(std::string_view text, const std::string& name) {
  const auto at = std::min(text.find("${" + name + "}"), text.size());
  const auto before = text.substr(0, at);
  const auto line = std::ranges::count(before, '\n') + 1;
  const auto column = at - (before.rfind('\n') + 1) + 1;  // rfind + 1 is 0 on the first line
  return fmt::format("{}:{}", line, column);
}

/// A template's text, and what it refers to.
struct Template {
  std::string text;
  std::vector<std::string> referred;
};

Result<Template> read_template(int root, const std::string& path, const std::string& shown) {
  BERTH_TRY(const Fd file, files::open_below(root, path, O_RDONLY));
  auto text = files::read(file.get(), shown, kMostTemplate);
  if (!text) return fail(Errc::usage, text.error().message);
  auto referred = spec::references(*text);
  if (!referred) return fail(Errc::usage, fmt::format("{}: {}", shown, referred.error().message));
  return Template{.text = std::move(*text), .referred = std::move(*referred)};
}

bool is_template(const bundle::Entry& entry) { return entry.type == bundle::EntryType::file && entry.path.ends_with(kTemplate); }

Result<void> check_template(int root, const std::string& path, const std::string& shown, const Names& names, const spec::AppSpec& spec,
                            const Configuration& configuration) {
  BERTH_TRY(const auto read, read_template(root, path, shown));
  for (const std::string& name : read.referred)
    if (!is_known(names, name, configuration))
      return fail(Errc::usage, fmt::format("{}:{}: ${{{}}}: {}", shown, place_of(read.text, name), name, why_unknown(name, names, spec)));
  return {};
}

}  // namespace

Result<void> check_commands_have_values(const spec::AppSpec& spec, const Configuration& configuration, const std::string& environment) {
  const auto check = [&](const std::string& what, const spec::Process& process, const std::vector<std::string>& command) -> Result<void> {
    Names names;
    add_known(names, spec, process, configuration);
    for (const std::string& argument : command) {
      BERTH_TRY(const auto referred, spec::references(argument));
      for (const std::string& reference : referred)
        if (!names.contains(reference))
          return fail(Errc::usage, fmt::format("{}/{}: {} has ${{{}}} in its command: {}", spec.app, environment, what, reference,
                                               why_unknown(reference, names, spec)));
    }
    return {};
  };
  for (const auto& [name, process] : spec.processes) BERTH_CHECK(check(fmt::format("process '{}'", name), process, process.command));
  const spec::Process portless;
  for (const auto& [name, hook] : spec.hooks) BERTH_CHECK(check(fmt::format("hook '{}'", name), portless, hook.command));
  return {};
}

Result<void> check_templates(const std::filesystem::path& root, const std::vector<bundle::Entry>& entries, const spec::AppSpec& spec,
                             const Configuration& configuration) {
  // Configuration is one for all processes: what one of them is given may be named.
  Names names;
  for (const auto& [name, process] : spec.processes) add_known(names, spec, process, configuration);
  BERTH_TRY(const Fd folder, files::open(root, O_RDONLY | O_DIRECTORY));
  std::set<std::string_view> paths;
  for (const bundle::Entry& entry : entries) paths.insert(entry.path);
  for (const bundle::Entry& entry : entries) {
    if (!is_template(entry)) continue;
    const std::string shown = (root / entry.path).string();
    const auto rendered = std::string_view(entry.path).substr(0, entry.path.size() - kTemplate.size());
    if (paths.contains(rendered)) return fail(Errc::usage, fmt::format("{}: is rendered to {}, which is there as well", shown, rendered));
    if (rendered.empty() || rendered.ends_with('/')) return fail(Errc::usage, fmt::format("{}: has no name without .tmpl", shown));
    BERTH_CHECK(check_template(folder.get(), entry.path, shown, names, spec, configuration));
  }
  return {};
}

Result<std::vector<NamedLabel>> labels_of_templates(const std::filesystem::path& root, const std::vector<bundle::Entry>& entries) {
  BERTH_TRY(const Fd folder, files::open(root, O_RDONLY | O_DIRECTORY));
  std::vector<NamedLabel> found;
  for (const bundle::Entry& entry : entries) {
    if (!is_template(entry)) continue;
    const std::string shown = (root / entry.path).string();
    BERTH_TRY(const auto read, read_template(folder.get(), entry.path, shown));
    for (const std::string& name : read.referred) {
      if (!name.starts_with(kLabel)) continue;
      std::string label = name.substr(kLabel.size());
      if (std::ranges::find(found, label, &NamedLabel::label) != found.end()) continue;
      found.push_back({.label = std::move(label), .place = fmt::format("{}:{}", shown, place_of(read.text, name))});
    }
  }
  return found;
}

}  // namespace berth::publish
