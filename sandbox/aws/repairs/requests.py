"""Each answer has a request id of its own, as CloudTrail's `requestID` relies on.

moto answers every EC2 call with the same constant. The product keys its requests by that id.
"""

import uuid

from moto.core.serialize import SerializationContext


class RequestContext(SerializationContext):
    """Gives each serialized answer a fresh UUID, the form of EC2's request ids.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-requests.html
    """

    def __init__(self, request_id: str | None = None) -> None:
        super().__init__(request_id or str(uuid.uuid4()))
