# The man page berth.toml(5), made of the app spec's section in docs/formats.md, whose example has every key:
#   awk -v version=VERSION -f packaging/roff.awk -f packaging/berth.toml.5.awk docs/formats.md

# Prose: what stands between backquotes is bold.
function prose(text,    made, parts, count, i) {
  gsub(/\*\*/, "", text)
  count = split(text, parts, "`")
  made = ""
  for (i = 1; i <= count; ++i) made = made (i % 2 == 0 ? "\\fB" safe(parts[i]) "\\fR" : (i == 1 ? safe(parts[i]) : substr(safe("x" parts[i]), 2)))
  return made
}

# A line of the example without its comment, which `comment` then is.
function code_of(line) {
  comment = ""
  if (match(line, / +# ?/)) {
    comment = substr(line, RSTART + RLENGTH)
    line = substr(line, 1, RSTART - 1)
  }
  sub(/ +$/, "", line)
  return line
}

BEGIN {
  print ".TH BERTH.TOML 5 \"\" \"berth " version "\" \"File Formats\""
  print ".SH NAME\nberth.toml \\- what an app is made of, and how it is run"
  print ".SH SYNOPSIS\n.nf\nberth.toml\n.fi"
  print ".SH DESCRIPTION"
}

/^## / { inside = ($0 ~ /^## App spec/); next }
!inside { next }

/^```/ {
  example = !example
  if (!example) print ".SH NOTES"
  next
}

example && /^\[/ {
  line = code_of($0)
  print ".SH \"" safe(line) "\""
  if (comment != "") print prose(comment)
  next
}

example && /^(# )?[A-Za-z_.-]+ = / {
  line = $0
  sub(/^# /, "", line)
  line = code_of(line)
  if (!tables++) print ".SH KEYS"
  print ".TP\n\\fB" safe(line) "\\fR"
  if (comment == "") { print FILENAME ":" FNR ": a key without a comment" > "/dev/stderr"; wrong = 1 }
  print prose(comment)
  next
}

example { next }
/^$/ { if (said) print ".PP"; next }
{ said = 1; print prose($0) }

END {
  if (wrong) exit 1
  print ".SH SEE ALSO\n.BR berth (1),\n.BR berthd.toml (5)"
}
