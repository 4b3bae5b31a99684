#!/bin/sh
# Makes the certificates of the TLS tests anew, with the openssl command (3.0 or newer). They are good for a century, so
# this is needed only to add one. The keys guard nothing: they are public, like the tests.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/openssl.cnf" <<'END'
[ca]
default_ca = here
[here]
database = $ENV::WORK/index
new_certs_dir = $ENV::WORK
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
organizationName = optional
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical,CA:FALSE
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
END
export WORK="$work"

key() { openssl genpkey -quiet -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1"; }

sign() { # extensions, signing certificate or -selfsign, its key, name, start, end
    : > "$work/index"
    openssl ca -batch -notext -config "$work/openssl.cnf" -extensions "$1" $2 -keyfile "$3" -in "$work/$4.csr" \
        -startdate "$5" -enddate "$6" -out "$4.pem" 2> "$work/log" || { cat "$work/log"; exit 1; }
}

authority() { # name, common name
    key "$work/$1.key"
    openssl req -new -key "$work/$1.key" -subj "/CN=$2" -out "$work/$1.csr"
    sign root -selfsign "$work/$1.key" "$1" $from $till
}

leaf() { # name, key, subject, start, end, subjectAltName or nothing
    openssl req -new -key "$2" -subj "$3" ${6:+-addext "subjectAltName=$6"} -out "$work/$1.csr"
    sign leaf "-cert ca.pem" "$work/ca.key" "$1" "$4" "$5"
}

from=20200101000000Z
till=21190101000000Z
authority ca "Test root"
authority other_ca "Another root"
key leaf.key
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.key
leaf server leaf.key /CN=csms.test $from $till DNS:csms.test,DNS:localhost,IP:127.0.0.1
leaf common_name leaf.key /CN=csms.test $from $till ""
leaf rsa rsa.key /CN=csms.test $from $till DNS:csms.test
leaf wildcard leaf.key /CN=gateway $from $till "DNS:*.csms.test,DNS:named.csms.test"
leaf expired leaf.key /CN=csms.test $from 20210101000000Z DNS:csms.test
leaf future leaf.key /CN=csms.test 21180101000000Z $till DNS:csms.test
leaf client leaf.key "/O=Operator/CN=STATION-1" $from $till ""
