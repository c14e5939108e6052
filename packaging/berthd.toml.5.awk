# The man page berthd.toml(5), made of the comments of config/berthd.toml:
#   awk -v version=VERSION -f packaging/roff.awk -f packaging/berthd.toml.5.awk config/berthd.toml

function say_comments(    i) {
  for (i = 1; i <= comments; ++i) print safe(comment[i])
  comments = 0
}

# The keys that stand together, and what is said above them.
function say_keys(    i) {
  if (keys == 0) return
  for (i = 1; i <= keys; ++i) print (i == 1 ? ".TP" : ".TQ") "\n\\fB" safe(key[i]) "\\fR"
  for (i = 1; i <= explained; ++i) print safe(explanation[i])
  if (explained == 0) print "See above."
  keys = explained = 0
}

function say_paragraph() {
  if (comments == 0) return
  print ".PP"
  say_comments()
}

BEGIN {
  print ".TH BERTHD.TOML 5 \"\" \"berth " version "\" \"File Formats\""
  print ".SH NAME\nberthd.toml \\- the configuration of berthd"
  print ".SH SYNOPSIS\n.nf\n/etc/berth/berthd.toml\n/etc/berth/conf.d/*.toml\n.fi"
  print ".SH DESCRIPTION"
}

/^(# )?\[\[?[a-z.]+\]\]?$/ {
  say_keys()
  name = $0
  sub(/^# /, "", name)
  print ".SH " safe(name)
  say_comments()
  next
}

/^(# )?[a-z_]+ = / {
  line = $0
  sub(/^# /, "", line)
  if (comments > 0) {
    say_keys()
    for (explained = 0; explained < comments;) { ++explained; explanation[explained] = comment[explained] }
    comments = 0
  }
  key[++keys] = line
  next
}

/^#/ {
  line = $0
  sub(/^# ?/, "", line)
  if (line != "") comment[++comments] = line
  next
}

# What stands before an empty line is a paragraph of its own, or belongs to the table that is next.
/^$/ {
  say_keys()
  if (!begun) say_paragraph()
  begun = 1
}

END {
  say_keys()
  say_paragraph()
  print ".SH SEE ALSO\n.BR berthd (8),\n.BR berth (1),\n.BR berth.toml (5)"
}
