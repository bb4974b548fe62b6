"""What EC2 refuses as a value: unknown protocols, ports out of range, descriptions and names that are too long.

moto takes all of them. What an XML answer cannot contain is refused for every call in ``endpoint.py``. EC2 also refuses
descriptions with characters such as ``<`` or ``é``; here they are accepted, to show that they stay text.
"""

import re

from moto.ec2.exceptions import InvalidParameterValue
from moto.ec2.responses.security_groups import SecurityGroups

#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_IpRange.html
LONGEST_DESCRIPTION = 255
#: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html
LONGEST_NAME = 255
#: https://www.iana.org/assignments/protocol-numbers/
HIGHEST_PROTOCOL = 255
HIGHEST_PORT = 65535
HIGHEST_ICMP = 255
NAMED_PROTOCOLS = frozenset({"tcp", "udp", "icmp", "icmpv6", "-1"})

_create_security_group = SecurityGroups.create_security_group


def check_protocol(protocol: str) -> None:
    """Refuse what is neither one of EC2's names nor a number from 0 to 255."""
    is_number = re.fullmatch(r"[0-9]{1,3}", protocol) is not None and int(protocol) <= HIGHEST_PROTOCOL
    if protocol not in NAMED_PROTOCOLS and not is_number:
        raise InvalidParameterValue(f"Invalid value '{protocol}' for IP protocol. Unknown protocol.")


def check_ports(protocol: str, start: int, end: int) -> None:
    """Refuse ports outside 0 to 65535 and ranges that end before they begin; ICMP: types and codes from -1 to 255."""
    if protocol in ("tcp", "udp"):
        for port in (start, end):
            if not 0 <= port <= HIGHEST_PORT:
                raise InvalidParameterValue(f"TCP/UDP port ({port}) out of range")
        if start > end:
            raise InvalidParameterValue(f"Invalid TCP/UDP port range ({start}:{end})")
    elif not (-1 <= start <= HIGHEST_ICMP and -1 <= end <= HIGHEST_ICMP):
        raise InvalidParameterValue(f"ICMP type ({start}) or code ({end}) out of range")


def check_description(text: str | None) -> None:
    """Refuse a rule's description that is too long."""
    if text and len(text) > LONGEST_DESCRIPTION:
        raise InvalidParameterValue(
            "Invalid rule description. Valid descriptions are strings less than 256 characters from the following "
            "set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*"
        )


def create_security_group(response: SecurityGroups) -> object:
    """CreateSecurityGroup: refuses a name that is too long, or that looks like an id."""
    name = str(response._get_param("GroupName") or "")
    if len(name) > LONGEST_NAME or name.startswith("sg-"):
        raise InvalidParameterValue(
            f"Invalid value '{name}' for groupName. Names have at most {LONGEST_NAME} characters "
            "and do not begin with sg-."
        )
    return _create_security_group(response)
