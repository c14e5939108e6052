#include "core/publish/source.h"

#include <array>
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/core.h>

#include "core/bundle/losses.h"
#include "core/bundle/paths.h"
#include "core/ids.h"
#include "core/image/assemble.h"
#include "core/image/defaults.h"
#include "core/image/layout.h"
#include "core/publish/archive.h"

namespace berth::publish {
namespace {

constexpr std::size_t kMostSpec = 1u << 20;

/// An archive often has all it holds in one folder, such as `site-1.4.2/`.
fs::path without_top_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(folder / kSpecFile, error)) return folder;
  fs::path only;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (!only.empty()) return folder;
    only = entry.path();
  }
  return !only.empty() && fs::is_directory(fs::symlink_status(only, error)) ? only : folder;
}

/// An image, unless a berth.toml says that the folder is an app that happens to look like one.
image::Form image_in(const fs::path& folder) {
  std::error_code error;
  return fs::exists(folder / kSpecFile, error) ? image::Form::none : image::form_of(folder);
}

/// Whether the file begins as a program does, or a script.
Result<bool> is_executable_file(const fs::path& path) {
  BERTH_TRY(const Fd file, files::open(path, O_RDONLY));
  std::array<char, 4> bytes{};
  const ssize_t got = ::pread(file.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return fail_errno("read " + path.string());
  const std::string_view beginning(bytes.data(), static_cast<std::size_t>(got));
  return beginning == "\x7f"
                      "ELF" ||
         beginning.starts_with("#!");
}

Result<Source> open_image(const fs::path& folder, image::Form form, const fs::path& named, const BuildOptions& options, const Workshop& workshop) {
  if (options.platform == "any") return fail(Errc::usage, fmt::format("{}: an image is for one platform, and never for any", named.string()));
  const image::Choice choice{.tag = options.tag,
                             .platform = options.platform.empty() ? bundle::this_platform() : options.platform,
                             .said = !options.platform.empty()};
  BERTH_TRY(const auto found, form == image::Form::layout ? image::open_layout(folder, named.string(), choice)
                                                          : image::open_saved(folder, named.string(), choice));
  auto said = image::defaults_of(found.config);
  if (!said) return pass(said.error(), named.string());
  Source source{.kind = Source::Kind::image, .folder = workshop.root(), .defaults = std::move(said->defaults), .platform = choice.platform};
  BERTH_TRY(source.notes, image::assemble(found, workshop.contents(), workshop.root(), source.defaults->process.directory));
  source.notes.insert(source.notes.end(), said->notes.begin(), said->notes.end());
  return source;
}

/// A tree with that program alone.
Result<Source> open_executable(const fs::path& file, const Workshop& workshop) {
  const std::string name = file.filename();
  if (const std::string wrong = bundle::wrong_path(name); !wrong.empty())
    return fail(Errc::usage, fmt::format("{}: its name {}", file.string(), wrong));
  const fs::path folder = workshop.tree() / "bin";
  BERTH_CHECK(files::make_directories(folder));
  std::error_code error;
  fs::copy_file(file, folder / name, error);
  if (error) return fail_errno("copy " + file.string(), error.value());
  struct stat about {};
  if (::stat(file.c_str(), &about) != 0) return fail_errno("look at " + file.string());
  if (::chmod((folder / name).c_str(), 0755) != 0) return fail_errno("chmod " + name);
  Source source{.kind = Source::Kind::executable, .folder = workshop.tree(), .defaults = spec::Defaults()};
  std::string literal;
  for (const char c : "bin/" + name) literal += c == '$' ? "$$" : std::string(1, c);
  source.defaults->process.command = {literal};
  BERTH_TRY(const Fd program, files::open(file, O_RDONLY));
  bundle::Losses losses;
  if ((about.st_mode & (S_ISUID | S_ISGID)) != 0) losses.setuid.add(name);
  if (bundle::has_file_capabilities(program.get())) losses.capabilities.add(name);
  source.notes = losses.notes();
  return source;
}

}  // namespace

Result<Source> open_source(const fs::path& source, const BuildOptions& options, const Workshop& workshop) {
  std::error_code error;
  const auto status = fs::status(source, error);
  if (error == std::errc::permission_denied) return fail_errno("look at " + source.string(), EACCES);
  if (fs::is_directory(status)) {
    const image::Form form = image_in(source);
    if (form != image::Form::none) return open_image(source, form, source, options, workshop);
    return Source{.folder = source};
  }
  if (status.type() == fs::file_type::not_found) return fail(Errc::not_found, fmt::format("{}: there is no such folder or file", source.string()));
  if (!fs::is_regular_file(status))
    return fail(Errc::usage,
                fmt::format("{}: is neither a folder nor a file; build a folder with a berth.toml, a ZIP or tar of one, an image, or an executable",
                            source.string()));
  BERTH_TRY(const bool executable, is_executable_file(source));
  if (executable) return open_executable(source, workshop);
  BERTH_TRY(auto notes, unpack_archive(source, workshop.tree()));
  const fs::path folder = without_top_folder(workshop.tree());
  const image::Form form = image_in(folder);
  if (form == image::Form::none) return Source{.kind = Source::Kind::archive, .folder = folder, .notes = std::move(notes)};
  BERTH_TRY(Source image, open_image(folder, form, source, options, workshop));
  BERTH_CHECK(files::remove_tree(workshop.tree()));
  return image;
}

Result<spec::AppSpec> spec_of_source(const Source& source, const BuildOptions& options, const fs::path& named) {
  const bool is_tree = source.kind == Source::Kind::folder || source.kind == Source::Kind::archive;
  const bool given = !options.spec.empty();
  fs::path file = options.spec;
  // Where the user wrote it, not where an archive was unpacked to.
  fs::path shown = options.spec;
  if (!given && is_tree) {
    file = source.folder / kSpecFile;
    shown = source.kind == Source::Kind::archive ? fs::path(named.string() + ":" + kSpecFile) : named / kSpecFile;
  }
  if (!file.empty()) {
    if (!options.app.empty()) return fail(Errc::usage, fmt::format("--app {}: {} names the app already", options.app, shown.string()));
    const auto text = files::read(file, kMostSpec);
    if (!text && text.error().code == Errc::not_found)
      return fail(Errc::usage, fmt::format("{}: there is none; it names the app and says how its processes are started", shown.string()));
    if (!text && text.error().code == Errc::permission) return std::unexpected(text.error());
    if (!text) return fail(Errc::usage, text.error().message);
    return spec::parse_toml(*text, shown.string(), source.defaults.value_or(spec::Defaults()));
  }
  std::string app = options.app;
  if (app.empty() && source.kind == Source::Kind::executable && is_name(named.filename().string())) app = named.filename();
  if (app.empty())
    return fail(Errc::usage, fmt::format("{}: which app is it? Say --app NAME, or --spec FILE with a berth.toml", named.string()));
  if (!is_name(app))
    return fail(Errc::usage, fmt::format("--app '{}': must be a lower-case letter, then at most 30 of a-z, 0-9 and -", app));
  if (source.defaults->process.command.empty())
    return fail(Errc::usage, fmt::format("{}: the image says nothing of how it is started; say it in a berth.toml: --spec FILE", named.string()));
  auto spec = spec::spec_of(app, *source.defaults);
  if (!spec) return pass(spec.error(), named.string());
  return spec;
}

}  // namespace berth::publish
